"""Stores parts and manifests in zones of an S3 bucket."""

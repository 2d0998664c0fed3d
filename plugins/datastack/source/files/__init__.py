"""Stores into which others put files: S3, web servers, SFTP servers."""

"""Readers of file formats: from an object as it was landed to rows, in bounded memory."""

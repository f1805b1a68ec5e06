"""The Hugging Face Hub: publish a release, fetch it again by version, withdraw it."""

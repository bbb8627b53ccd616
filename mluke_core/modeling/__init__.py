"""The mLUKE model, its heads, and import from and export to the Hugging Face format."""

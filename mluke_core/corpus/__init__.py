"""From a Wikipedia dump to text with exact link spans, and redirects."""

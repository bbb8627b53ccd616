"""Wikidata sitelinks, entity counts, the entity vocabulary and mention tables."""

"""Tables beside the published numbers, figures and the report page."""

"""What decisions by a model are worth: net benefit and clinical impact."""

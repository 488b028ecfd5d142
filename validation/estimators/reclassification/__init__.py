"""What a second model changes: net reclassification improvement, integrated discrimination improvement."""

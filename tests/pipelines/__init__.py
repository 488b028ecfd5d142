"""Mirror of pipelines/."""

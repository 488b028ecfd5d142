<<<<<<< HEAD
"""Tests of models/ct_chemo_response/."""
=======
"""Tests of models/histology_spatial_survival/."""
>>>>>>> hist-b

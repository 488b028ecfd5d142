"""How well predictions rank patients: AUC, average precision, concordance, time-dependent AUC."""

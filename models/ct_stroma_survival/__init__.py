"""Multitask CT network of stroma ratio and survival (Cui, Int J Surg 2024, doi 10.1097/JS9.0000000000001161)."""

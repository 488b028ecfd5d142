"""Tissue classification, spatial organisation and survival in liver metastases (Qi, iScience 2023;26:107702)."""

from __future__ import annotations

TISSUES = ("BACK", "DEB", "HEP", "LYM", "MUC", "STR", "TUM")  # index = class of the classifier
ORGANISED = ("STR", "LYM", "HEP", "MUC", "DEB")  # tissues that give features
TILE_PX = 224
MPP = 0.5  # micrometres per pixel
TILE_UM = 112
TUMOUR_TILES_MIN = 50
BLANK_SHARE_MAX = 0.5

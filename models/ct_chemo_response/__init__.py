"""CT signature, radio-clinical fusion and survival in gastric cancer (Hu, Int J Surg 2023;109:1980)."""

"""From linked text to training sequences: sentences, span-aware tokens, packing, manifest."""

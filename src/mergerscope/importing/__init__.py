"""Vectors made elsewhere, taken in so that a survey is ranked, judged and searched by them."""

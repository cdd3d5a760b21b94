"""Pickles made by earlier versions name `Quantized` here."""

from ._rows.convert import Quantized as Quantized

"""Pickles made by earlier versions name `FlatIndex` here."""

from ._search.index import FlatIndex as FlatIndex

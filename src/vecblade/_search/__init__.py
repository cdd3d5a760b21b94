"""
Search. `api` has what users call, over an array (`engine`) or a `FlatIndex` (`index`).

A call goes from `api` through the checks of `engine` to the core. An index holds its rows and codes in a
`store`, lets searches and changes take turns by a `gate`, and is saved as a `file`. `where` says which rows
may be found, and `rescore` searches in two stages.

Pickles made by earlier versions name the results here.
"""

from .results import Explanation as Explanation
from .results import TopK as TopK
from .results import Within as Within

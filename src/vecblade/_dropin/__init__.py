"""
What `vecblade.numpy`, `vecblade.scipy` and `vecblade.sklearn` share: `common`, and for scikit-learn the rest.

`patch` puts them in the place of the originals, and takes them back.
"""

"""Export of a Motion to file formats, videos, pages and reports."""

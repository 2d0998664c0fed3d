"""The same move by other tools. What they need stands in bench/requirements.txt, apart from the product's."""

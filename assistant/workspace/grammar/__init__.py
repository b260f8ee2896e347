"""What is special to each language: the queries that find symbols, and how to read what they find."""

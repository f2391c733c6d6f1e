"""Turn a row into a decision and write down what happened."""

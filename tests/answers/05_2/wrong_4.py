# word: two whole numbers

shift = lambda picture: None

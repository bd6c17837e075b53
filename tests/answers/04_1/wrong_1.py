# word: welcome

visible = lambda messages: messages

class Shelf:
    def __init__(self, width):
        self.width = width

    def holds(self, book):
        return book.width <= self.width

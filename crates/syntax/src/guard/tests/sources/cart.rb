# frozen_string_literal: true

require 'json'

module Shop
  Line = Struct.new(:code, :amount, :price)

  class Cart
    attr_reader :owner, :lines

    def initialize(owner, limit: 3)
      @owner = owner
      @limit = limit
      @lines = []
    end

    def full?
      lines.size >= @limit
    end

    def add_line(code, amount: 1, price: 0)
      raise ArgumentError, "#{owner} has no room for #{code}" if full?

      line = Line.new(code, amount, price)
      lines << line
      line
    end

    def total
      lines.sum { |line| line.amount * line.price }
    end

    def to_json(*options)
      { owner: owner, total: total, lines: lines.map(&:to_h) }.to_json(*options)
    end
  end

  def self.open(owner, **options)
    cart = Cart.new(owner, **options)
    yield cart if block_given?
    cart
  end
end

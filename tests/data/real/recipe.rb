# frozen_string_literal: true

require "json"

module Kitchen
  # Raised where a quantity cannot be converted into another unit.
  class UnitError < StandardError; end

  # An amount of something in a unit.
  class Quantity
    include Comparable

    # How many of the base unit one of each unit is.
    FACTORS = {
      "g" => [:mass, 1], "kg" => [:mass, 1000],
      "ml" => [:volume, 1], "l" => [:volume, 1000],
      "tsp" => [:volume, 5], "tbsp" => [:volume, 15],
      "pc" => [:count, 1]
    }.freeze

    attr_reader :amount, :unit

    def initialize(amount, unit)
      raise UnitError, "unknown unit #{unit.inspect}" unless FACTORS.key?(unit)

      @amount = amount
      @unit = unit
    end

    def kind
      FACTORS.fetch(unit).first
    end

    def base_amount
      amount * FACTORS.fetch(unit).last
    end

    def to(other_unit)
      kind, factor = FACTORS.fetch(other_unit) { raise UnitError, "unknown unit #{other_unit.inspect}" }
      raise UnitError, "cannot convert #{unit} into #{other_unit}" unless kind == self.kind

      Quantity.new(base_amount.fdiv(factor), other_unit)
    end

    def *(factor)
      Quantity.new(amount * factor, unit)
    end

    def +(other)
      Quantity.new(amount + other.to(unit).amount, unit)
    end

    def <=>(other)
      return nil unless other.is_a?(Quantity) && kind == other.kind

      base_amount <=> other.base_amount
    end

    def to_s
      rounded = amount.round(2)
      rounded = rounded.to_i if rounded == rounded.to_i
      "#{rounded} #{unit}"
    end
  end

  Ingredient = Struct.new(:name, :quantity) do
    def scaled(factor)
      Ingredient.new(name, quantity * factor)
    end
  end

  # A dish for a number of people.
  class Recipe
    attr_reader :title, :servings, :ingredients

    def self.from_json(text)
      data = JSON.parse(text)
      ingredients = data.fetch("ingredients").map do |entry|
        Ingredient.new(entry.fetch("name"), Quantity.new(entry.fetch("amount"), entry.fetch("unit")))
      end
      new(data.fetch("title"), data.fetch("servings"), ingredients)
    end

    def initialize(title, servings, ingredients = [])
      raise ArgumentError, "servings must be positive" unless servings.positive?

      @title = title
      @servings = servings
      @ingredients = ingredients
    end

    def for_servings(count)
      factor = count.fdiv(servings)
      Recipe.new(title, count, ingredients.map { |ingredient| ingredient.scaled(factor) })
    end

    def to_s
      lines = ingredients.map { |ingredient| "  #{ingredient.quantity} #{ingredient.name}" }
      ["#{title} (#{servings} servings)", *lines].join("\n")
    end
  end

  # What to buy for several recipes, equal ingredients added up.
  class ShoppingList
    def initialize(recipes)
      @recipes = recipes
    end

    def totals
      # Quantities of one name may stand in different units; the first one wins.
      @recipes.flat_map(&:ingredients).group_by(&:name).transform_values do |same|
        same.map(&:quantity).reduce(:+)
      end
    end

    def each_line
      return enum_for(:each_line) unless block_given?

      totals.sort.each { |name, quantity| yield "#{quantity} #{name}" }
    end
  end
end

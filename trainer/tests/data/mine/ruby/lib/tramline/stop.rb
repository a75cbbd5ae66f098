# frozen_string_literal: true

module Tramline
  # A place where trams halt.
  class Stop
    attr_reader :name

    def self.named(name)
      registry[name] ||= new(name)
    end

    def self.registry
      @registry ||= {}
    end

    def initialize(name)
      @name = name.strip
      @neighbours = []
    end

    def connect(other)
      @neighbours.push(other) unless @neighbours.include?(other)
      other.connect(self) unless other.connected?(self)
      self
    end

    def connected?(other)
      @neighbours.include?(other)
    end
  end
end

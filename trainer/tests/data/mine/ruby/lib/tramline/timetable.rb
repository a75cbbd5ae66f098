# frozen_string_literal: true

require 'nokogiri'
require 'time'
require_relative 'stop'

module Tramline
  # Departures of one line, read from XML.
  class Timetable
    attr_reader :line, :departures

    def initialize(line)
      @line = line
      @departures = Hash.new { |hash, stop| hash[stop] = [] }
    end

    def self.parse(source)
      document = Nokogiri.XML(source)
      timetable = new(document.at_xpath('//line')['name'])
      document.xpath('//departure').each do |node|
        stop = Stop.named(node['stop'])
        timetable.add(stop, Time.parse(node['at']))
      end
      timetable
    end

    def add(stop, time)
      times = @departures[stop]
      times << time
      times.sort!
      self
    end

    def next_departure(stop, now)
      times = @departures.fetch(stop) { return nil }
      times.find { |time| time >= now }
    end

    def wait_minutes(stop, now)
      departure = next_departure(stop, now)
      return nil if departure.nil?

      ((departure - now) / 60).round
    end

    def merge(other)
      other.departures.each do |stop, times|
        times.each { |time| add(stop, time) }
      end
      self
    end
  end
end

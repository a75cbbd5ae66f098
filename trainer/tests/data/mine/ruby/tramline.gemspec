Gem::Specification.new do |spec|
  spec.name = 'tramline'
  spec.version = '0.3.0'
  spec.license = 'MIT'
  spec.summary = 'Timetables of trams'
  spec.add_dependency 'nokogiri', '~> 1.15'
end

'use strict';

const path = require('path');
const { openCart, totalPrice } = require('./cart');

function Basket(owner, options) {
  this.owner = owner;
  this.options = Object.assign({ limit: 3 }, options);
  this.cart = openCart(owner, this.options.limit);
}

Basket.prototype.price = function (discount) {
  const total = totalPrice(this.cart.lines);
  return total - total * (discount || 0);
};

Basket.prototype.file = function (folder) {
  const name = this.owner.replace(/[^a-z]/gi, '_') + '.json';
  return path.join(folder, name);
};

exports.Basket = Basket;
exports.create = (owner) => new Basket(owner, { limit: 5 });

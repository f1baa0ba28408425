// Three transfers in ten must be refused. Payer and payee may be on different shards. Then the saga debits the payer
// before it finds that the payee is missing or frozen, and compensates.

import { check } from 'k6';

import { transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { label } from '../lib/outcomes.js';
import { closed } from '../lib/shapes.js';
import { freeze, nameOf, open, pairOf, prepareWallets, uniform } from '../lib/wallets.js';

const REFUSED = [
  { share: 0.1, change: { to: nameOf('missing') }, expected: 'refused:wallet-not-found' },
  { share: 0.1, change: { to: nameOf('frozen') }, expected: 'refused:wallet-frozen' },
  { share: 0.1, change: { from: nameOf('empty') }, expected: 'refused:insufficient-funds' },
];

const count = number('WALLETS', 1000);
const draw = uniform(count);

function kindOfTransfer() {
  let left = Math.random();
  for (const kind of REFUSED) {
    if (left < kind.share) return kind;
    left -= kind.share;
  }
  return { change: {}, expected: 'success' };
}

export const refusals = {
  load: { refusals: closed(50) },
  prepare() {
    prepareWallets(count);
    open([nameOf('frozen'), nameOf('empty')], 0);
    freeze(nameOf('frozen'));
  },
  iterate(run) {
    const { change, expected } = kindOfTransfer();
    const outcome = transfer(run, { ...pairOf(draw, count), ...change });
    const isDecided = ['success', 'refused'].includes(outcome.kind);
    check(outcome, { 'decided as expected': () => !isDecided || label(outcome) === expected });
  },
};

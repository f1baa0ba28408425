// Every operation of the contract on few wallets: lib/bank.js has the actions and their shares.

import { BANK_WALLETS, act } from '../lib/bank.js';
import { closed } from '../lib/shapes.js';
import { prepareBank } from '../lib/wallets.js';

export const bank = {
  load: { bank: closed(20) },
  prepare: () => prepareBank(BANK_WALLETS),
  iterate: act,
};

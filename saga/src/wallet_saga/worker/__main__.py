from wallet_saga.worker.main import main

main()

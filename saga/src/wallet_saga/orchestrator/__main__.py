from wallet_saga.orchestrator.main import main

main()

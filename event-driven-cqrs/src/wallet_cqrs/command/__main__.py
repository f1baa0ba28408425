from wallet_cqrs.command.main import main

main()

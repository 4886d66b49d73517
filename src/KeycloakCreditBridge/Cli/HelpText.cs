namespace KeycloakCreditBridge.Cli;

/// <summary>What `--help` says.</summary>
internal static class HelpText
{
    public const string Summary =
        """
        Gives every user of Keycloak a credit account in PostgreSQL, with its opening grant, a ledger row and an audit row, exactly once:
        moments after the user appears, by webhook and by reading Keycloak's events, and by reconciliation when those were missed.
        Without a command it runs the service.
        """;

    public const string Run =
        "Run the service: webhooks, polling, provisioning, reconciliation by schedule, health and metrics. The default.";

    public const string Migrate = "Bring the database's schema up to date and end. Needs PostgreSQL only, Keycloak is not asked.";

    public const string Reconcile =
        """
        Find users of Keycloak that have no account yet, and open their accounts. Safe at any time and beside the running service. One run a
        realm at a time; a run that was stopped or failed is continued by the same command within a day.
        """;

    public const string Backfill =
        """
        Like reconcile, and look again at users that have their accounts: for the first start on an existing realm, after a change of rules,
        or for a single user with --user. Nothing is ever granted twice.
        """;

    public const string Adopt =
        """
        Give accounts that were in the database before the bridge to their owners in Keycloak, join the accounts of one person, and bring
        ledgers to what the balances are. The service holds until this is done. --plan says what there is to do and changes nothing. Safe to
        run again at any time, also while the service and other writers go on; what was interrupted is continued by the same command.
        """;

    public const string Doctor =
        """
        Look at everything that can be wrong, and say each in a line with its cure: configuration, database, privileges, Keycloak and its
        database, clock, roles, events, webhooks, hints, reconciliation. Changes nothing. Ends with 0 when nothing fails, 1 when something
        does, and 3 when neither PostgreSQL nor Keycloak can be reached. With --strict warnings count as failures. With an administrator it also looks at what the
        bridge's own roles do not show: the webhook's secret at Keycloak, federations, how long admin events are kept.
        """;

    public const string Setup = "Prepare what the bridge works with.";

    public const string SetupKeycloak =
        """
        Give each configured realm of Keycloak what the bridge needs: its client with the configured secret and the roles view-users and
        view-events, stored events, and the webhook where Phase Two's plugin is there. Shows what it would change, asks, and changes nothing
        that is right already. Takes an administrator's credentials once and stores them nowhere. Safe to run again at any time.
        """;

    public const string Hints = "Show the hints, which are users that wait to be looked at, and mend those that got stuck. Needs PostgreSQL only.";

    public const string HintsList = "Show hints: dead ones first, which nobody tries any more, then the oldest first.";

    public const string HintsRetry = "Have hints tried again at once, as if they were new, once their cause is mended.";

    public const string HintsDrop = "Delete hints of users that need not be looked at. Says what is lost, and writes an audit row for each.";

    public const string Account = "Look into an account.";

    public const string AccountShow =
        """
        Show all that is known of a user: account, latest ledger and audit rows, hint, what Keycloak says now, and why the account is as it is.
        Without Keycloak it finds ids only, and shows what is on record.
        """;

    public const string Footer =
        """
        Examples:
          KeycloakCreditBridge                                        run the service
          KeycloakCreditBridge migrate                                prepare the database, for example before an update
          KeycloakCreditBridge reconcile --dry-run                    count who is missing, in all configured realms
          KeycloakCreditBridge reconcile --realm shop --since 2026-01-31
          KeycloakCreditBridge backfill --realm shop --user alice@example.com
          KeycloakCreditBridge backfill --json                        for scripts: a JSON object a realm
          KeycloakCreditBridge adopt --plan                           before the first start on an existing installation's database
          KeycloakCreditBridge doctor                                 what is wrong, and what to do about it
          KeycloakCreditBridge setup keycloak --admin-user admin --webhook-url http://bridge:8080
          KeycloakCreditBridge hints list --dead                      who was given up, and why
          KeycloakCreditBridge hints retry --all-dead                 once that is mended
          KeycloakCreditBridge account show ana@example.com           why somebody has no credits

        Exit codes:
          0    done
          1    some users failed or were not found, the realm is being reconciled by another process, doctor found a fault, or setup or
               adopt has something to do and did not do it (--dry-run, --plan, or the answer was no)
          2    wrong usage or configuration: an option, a setting, a secret that is refused, a role that is missing
          3    PostgreSQL or Keycloak cannot be reached
          130  stopped by Ctrl-C or SIGTERM; the same command goes on from there

        Configuration:
          Settings come from appsettings.json beside the program, then from the one in the working directory, from environment variables
          (Keycloak__Url sets Keycloak:Url), from --set, and for secrets from files (Keycloak__ClientSecret_FILE=/run/secrets/keycloak).
          Needed: Storage:ConnectionString, Keycloak:Url, Keycloak:ClientSecret, Keycloak:Realms:0:Name.
          Everything that is wrong with it is listed at once, with its key, before anything is started.
        """;
}

namespace KeycloakCreditBridge.Cli;

/// <summary>What the program's own `--help` says. Each command has its text in its folder.</summary>
internal static class HelpText
{
    public const string Summary =
        """
        Gives every Keycloak user a credit account in PostgreSQL, exactly once, with its opening grant, a ledger row and an audit row.
        Webhooks and polling find a new user within moments; reconciliation finds what both missed. Without a command it runs the service.
        """;

    /// <summary>Fits a terminal of 80 columns.</summary>
    public const string Footer =
        """
        Examples:
          KeycloakCreditBridge                            run the service
          KeycloakCreditBridge migrate                    prepare the database
          KeycloakCreditBridge reconcile --dry-run        count missing accounts
          KeycloakCreditBridge reconcile --realm shop --since 2026-01-31
          KeycloakCreditBridge backfill --realm shop --user alice@example.com
          KeycloakCreditBridge backfill --json            a JSON object per realm
          KeycloakCreditBridge adopt --plan               before the first start on
                                                          an existing database
          KeycloakCreditBridge doctor                     what is wrong, and the cure
          KeycloakCreditBridge health                     is the service ready
          KeycloakCreditBridge setup keycloak --admin-user admin \
              --webhook-url http://bridge:8085
          KeycloakCreditBridge hints list --dead          failed hints, and why
          KeycloakCreditBridge hints retry --all-dead     once the cause is removed
          KeycloakCreditBridge deliveries list --outcome failed
          KeycloakCreditBridge events list --account ID   what other programs are told
          KeycloakCreditBridge account show ana@example.com
          KeycloakCreditBridge grants list ana@example.com
          KeycloakCreditBridge grants explain ana         why this balance
          KeycloakCreditBridge referrals list --state held
          KeycloakCreditBridge holds list --state held    grants to be reviewed
          KeycloakCreditBridge codes create spring --credits 5 --count 100
          KeycloakCreditBridge experiments show trial     which amount works better
          KeycloakCreditBridge usage refusals list        usage that was not charged
          KeycloakCreditBridge analytics funnel --by way  who has come how far
          KeycloakCreditBridge realm rename OLD NEW       a realm has another name
          KeycloakCreditBridge claims forget ana@example.com

        Exit codes:
          0    done
          1    some users, grants or records failed or were not found; a grant
               was voided before or has ended; another process reconciles the
               realm; migrate waits for older replicas to stop; doctor found a
               fault; health found no service that is ready; or setup or adopt
               has something to do and did not do it (--dry-run, --plan, or the
               answer was no)
          2    wrong usage or configuration: an option, a setting, a refused
               secret, a missing role, an address that is in use
          3    PostgreSQL or Keycloak cannot be reached
          130  stopped by Ctrl-C or SIGTERM; the same command resumes

        Configuration:
          Settings come, later ones winning, from appsettings.json beside the
          program, the one in the working directory, environment variables
          (Keycloak__Url sets Keycloak:Url) and --set. Secrets also come from
          files (Keycloak__ClientSecret_FILE=/run/secrets/keycloak).
          Needed: Storage:ConnectionString, Keycloak:Url, Keycloak:Realms:0:Name
          and Keycloak:ClientSecret or, with Keycloak:ClientAuthentication
          PrivateKeyJwt, Keycloak:PrivateKeyFile. All mistakes are listed at once,
          each with its key, before anything is started.
        """;
}

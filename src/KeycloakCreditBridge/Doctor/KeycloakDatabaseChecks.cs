using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Database;
using Npgsql;

namespace KeycloakCreditBridge.Doctor;

/// <summary>What can be wrong with Keycloak's own database. The service does not start with one that it must not use.</summary>
internal sealed class KeycloakDatabaseChecks(KeycloakDatabase database, KeycloakDatabaseStore store)
{
    private const string Key = $"{KeycloakDatabaseOptions.Section}:ConnectionString";

    public async Task<Finding> UseAsync(IReadOnlyList<string> realms, CancellationToken cancellationToken)
    {
        if (!database.IsConfigured)
            return Finding.Ok("not configured, so Keycloak's API is used");
        try
        {
            // A role that may write, and unknown tables, are refused with the cure.
            await store.CheckAsync(cancellationToken);
            foreach (var realm in realms)
                await store.FindAsync(realm, [], cancellationToken);
            return Finding.Ok("its role may read users and not write");
        }
        catch (NpgsqlException exception)
        {
            return Finding.Fail($"it cannot be read: {exception.Message}", $"check that it runs, and correct {Key}, or leave it out");
        }
        catch (KeycloakRealmNotFoundException exception)
        {
            return Finding.Fail($"it has no realm '{exception.Realm}'", $"have {Key} lead to the database of the Keycloak at Keycloak:Url");
        }
    }
}

using KeycloakCreditBridge.Configuration;
using Npgsql;

namespace KeycloakCreditBridge.Keycloak.Database;

/// <summary>
/// Keeps the service from starting with a database that it must not use. One that does not answer is checked by the next run.
/// </summary>
internal sealed partial class KeycloakDatabaseCheck(
    KeycloakDatabase database, KeycloakDatabaseStore store, ILogger<KeycloakDatabaseCheck> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!database.IsConfigured)
            return;
        try
        {
            await store.CheckAsync(cancellationToken);
        }
        catch (KeycloakDatabaseException exception)
        {
            throw new ConfigurationException([exception.Message]);
        }
        catch (NpgsqlException exception)
        {
            LogUnreachable(exception.Message);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(
        EventId = 130, Level = LogLevel.Warning,
        Message = "Keycloak's database cannot be reached: {Reason}. The next run tries again.")]
    private partial void LogUnreachable(string reason);
}

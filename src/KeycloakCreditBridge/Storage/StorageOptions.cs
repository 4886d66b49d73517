using System.ComponentModel.DataAnnotations;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Storage.Sessions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Storage;

/// <summary>Where accounts are kept.</summary>
internal sealed class StorageOptions
{
    public const string Section = "Storage";

    /// <summary>Npgsql connection string of the database that holds accounts and ledger.</summary>
    [Required]
    public string ConnectionString { get; set; } = "";

    /// <summary>Password; wins over the one in the connection string, so that it can come from a file of its own.</summary>
    public string? Password { get; set; }

    /// <summary>Whether the service migrates the schema when it starts; otherwise it waits until `migrate` was run.</summary>
    [OfReplica]
    public bool MigrateOnStart { get; set; } = true;

    /// <summary>Sessions with the settings that the bridge relies on.</summary>
    /// <param name="refresh">Called before the password is read, for each new connection; null where it never changes.</param>
    /// <param name="pooled">Whether a session returns to a pool after its use.</param>
    /// <param name="logger">Told when a change needs a restart.</param>
    public NpgsqlDataSource BuildDataSource(Action? refresh = null, bool pooled = true, ILogger? logger = null)
    {
        var settings = new NpgsqlConnectionStringBuilder(BuildConnectionString());
        if (!pooled)
            settings.Pooling = false;
        var password = new RotatedPassword($"{Section}:ConnectionString", () => new(BuildConnectionString()), logger);
        return SessionStore.Build(settings, SessionStore.OwnSql, string.IsNullOrEmpty(settings.Password) ? null : CurrentPassword);

        string? CurrentPassword()
        {
            refresh?.Invoke();
            return password.Read();
        }
    }

    /// <summary>The connection string with the password and the timeouts that the bridge relies on.</summary>
    public string BuildConnectionString()
    {
        var builder = new NpgsqlConnectionStringBuilder(ConnectionString);
        if (!string.IsNullOrEmpty(Password))
            builder.Password = Password;
        SetUnlessGiven("Application Name", "keycloak-credit-bridge");
        SetUnlessGiven("Command Timeout", 15);
        SetUnlessGiven("Timeout", 5);
        SetUnlessGiven("Cancellation Timeout", 2000);
        SetUnlessGiven("Keepalive", 10);
        // No session state is left behind that would have to be reset.
        SetUnlessGiven("No Reset On Close", true);
        return builder.ConnectionString;

        void SetUnlessGiven(string keyword, object value)
        {
            if (!builder.ShouldSerialize(keyword))
                builder[keyword] = value;
        }
    }
}

internal sealed class StorageOptionsValidator : IValidateOptions<StorageOptions>
{
    public ValidateOptionsResult Validate(string? name, StorageOptions options)
    {
        if (string.IsNullOrWhiteSpace(options.ConnectionString))
        {
            return ValidateOptionsResult.Fail(
                "Storage:ConnectionString is empty: give an Npgsql connection string such as Host=db;Database=credits;Username=bridge.");
        }

        try
        {
            _ = options.BuildConnectionString();
            return ValidateOptionsResult.Success;
        }
        catch (ArgumentException exception)
        {
            return ValidateOptionsResult.Fail($"Storage:ConnectionString does not parse: {exception.Message}");
        }
    }
}

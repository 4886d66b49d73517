using System.ComponentModel.DataAnnotations;
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
    public bool MigrateOnStart { get; set; } = true;

    // Every statement finds its rows by key. A prepared plan that was made while the tables were empty would read them from end to end
    // for as long as it is kept; and a session that hangs inside a transaction gives its locks back.
    private const string SessionSettings = "-c enable_seqscan=off -c idle_in_transaction_session_timeout=60s";

    /// <summary>The connection string with the password, timeouts and session settings that the bridge relies on.</summary>
    public string BuildConnectionString()
    {
        var builder = new NpgsqlConnectionStringBuilder(ConnectionString);
        if (!string.IsNullOrEmpty(Password))
            builder.Password = Password;
        if (!builder.ContainsKey("Application Name"))
            builder.ApplicationName = "keycloak-credit-bridge";
        if (!builder.ContainsKey("Command Timeout"))
            builder.CommandTimeout = 15;
        if (!builder.ContainsKey("Timeout"))
            builder.Timeout = 5;
        if (!builder.ContainsKey("Cancellation Timeout"))
            builder.CancellationTimeout = 2000;
        if (!builder.ContainsKey("Keepalive"))
            builder.KeepAlive = 10;
        if (!builder.ContainsKey("Max Auto Prepare"))
            builder.MaxAutoPrepare = 20;
        // No session state is left behind that would have to be reset.
        if (!builder.ContainsKey("No Reset On Close"))
            builder.NoResetOnClose = true;
        builder.Options = $"{builder.Options} {SessionSettings}".TrimStart();
        return builder.ConnectionString;
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

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

    /// <summary>The connection string with the password, timeouts and keepalives that the bridge relies on.</summary>
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

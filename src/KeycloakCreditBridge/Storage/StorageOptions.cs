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

    // Every statement finds its rows by key, one user or thousands. Left to itself PostgreSQL would plan a statement anew at each run,
    // which costs more than running it, or keep a plan from when the tables were empty that reads them from end to end, and it would
    // compile small statements (jit) whose cost it so overrates. A session that hangs inside a transaction gives its locks back.
    private const string SessionSettings =
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off -c idle_in_transaction_session_timeout=60s";

    /// <summary>The connection string with the password, timeouts and session settings that the bridge relies on.</summary>
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
        builder.Options = $"{builder.Options} {SessionSettings}".TrimStart();
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

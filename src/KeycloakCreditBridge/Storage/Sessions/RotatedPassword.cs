using Npgsql;

namespace KeycloakCreditBridge.Storage.Sessions;

/// <summary>
/// The newest password for new connections of a data source. It stays as it is where more than the password changes, as the data source
/// keeps host and user: the new password of one user is none of another.
/// </summary>
/// <param name="key">The setting with the connection string.</param>
/// <param name="read">The connection string as the settings are now, with its password.</param>
/// <param name="logger">Told once when more than the password changes.</param>
internal sealed partial class RotatedPassword(string key, Func<NpgsqlConnectionStringBuilder> read, ILogger? logger)
{
    private readonly NpgsqlConnectionStringBuilder _target = WithoutPassword(read());
    private string? _password = read().Password;
    private int _isReported;

    /// <summary>The password to connect with now; null where there is none.</summary>
    public string? Read()
    {
        var now = read();
        var password = now.Password;
        if (WithoutPassword(now).EquivalentTo(_target))
        {
            _isReported = 0;
            return _password = password;
        }

        if (Interlocked.Exchange(ref _isReported, 1) == 0 && logger is not null)
            LogOtherTarget(logger, key);
        return _password;
    }

    private static NpgsqlConnectionStringBuilder WithoutPassword(NpgsqlConnectionStringBuilder settings)
    {
        settings.Password = null;
        return settings;
    }

    [LoggerMessage(EventId = 740, Level = LogLevel.Warning,
        Message = "More than the password of {Key} changed, such as host or user: restart the bridge to use it. Until then new "
            + "connections are made as before.")]
    private static partial void LogOtherTarget(ILogger logger, string key);
}

using System.Globalization;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;

namespace KeycloakCreditBridge.Reconciliation.Scans.Windows;

/// <summary>
/// Windows that could not be read while others could. A user that Keycloak cannot list must not hide others: the run continues, reads
/// narrower windows, and fails at its end.
/// </summary>
internal sealed class FailedWindows(string realm)
{
    // More failures than this are not a fault of single users.
    private const int Most = 10;

    private readonly List<CreatedWindow> _windows = [];
    private KeycloakException? _first;

    /// <summary>For <see cref="ScanPosition.Tail"/>, so that a resumed run reads them again.</summary>
    public IReadOnlyList<string> Tail =>
        [.. _windows.Select(window => string.Create(CultureInfo.InvariantCulture, $"{window.From}-{window.To}"))];

    /// <summary>Whether some may hold other users than those at fault.</summary>
    public bool AreWide => _windows.Exists(window => window.To > window.From);

    /// <summary>Takes over the windows that an interrupted run could not read.</summary>
    public void Restore(ScanPosition position) => _windows.AddRange(position.Tail
        .Select(text => text.Split('-'))
        .Select(
            bounds => new CreatedWindow(
                long.Parse(bounds[0], CultureInfo.InvariantCulture), long.Parse(bounds[1], CultureInfo.InvariantCulture))));

    /// <summary>Removes and returns all of them, to be read anew.</summary>
    public IReadOnlyList<CreatedWindow> TakeAll()
    {
        CreatedWindow[] taken = [.. _windows];
        _windows.Clear();
        return taken;
    }

    /// <summary>The result of reading a window; the default when it failed, which is noted.</summary>
    public async Task<T?> TryAsync<T>(CreatedWindow window, Task<T> reading)
    {
        try
        {
            return await reading;
        }
        catch (KeycloakException exception) when (
            exception is KeycloakProtocolException or KeycloakUnavailableException && _windows.Count < Most)
        {
            _first ??= exception;
            _windows.Add(window);
            return default;
        }
    }

    /// <summary>Ends a run in which some failed.</summary>
    public void ThrowIfAny()
    {
        if (_windows.Count == 0 || _first is null)
            return;
        var (from, to) = KnownUserStore.Bounds(_windows[0]);
        throw new KeycloakProtocolException(realm, string.Create(
            CultureInfo.InvariantCulture,
            $"{_windows.Count} created windows could not be read, the first from {from:O} to {to:O}; "
            + $"no account was closed. {_first.Message}"));
    }

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => _windows.Count == 0;
}

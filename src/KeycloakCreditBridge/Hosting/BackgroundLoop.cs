using KeycloakCreditBridge.Storage.Sessions;

namespace KeycloakCreditBridge.Hosting;

/// <summary>
/// Repeats work for as long as the process runs. Work that fails is repeated after a pause that grows; what fails is reported once for each
/// kind of error, until the work succeeds again.
/// </summary>
/// <param name="clock">The pauses' clock.</param>
/// <param name="longestPause">No pause after a failure is longer.</param>
/// <param name="failed">Takes every failure, and whether it is the first of its kind.</param>
/// <param name="recovered">Called when work succeeds after failures.</param>
internal sealed class BackgroundLoop(TimeProvider clock, TimeSpan longestPause, Action<Exception, bool> failed, Action? recovered = null)
{
    private readonly HashSet<Type> _reported = [];
    private int _failures;

    /// <summary>How long an error asks to be left alone, where it does.</summary>
    public Func<Exception, TimeSpan?> RetryAfter { get; init; } = _ => null;

    /// <summary>Repeats the work until the process stops.</summary>
    /// <param name="work">One round; true when the next round shall follow at once.</param>
    /// <param name="idle">Waits between rounds.</param>
    /// <param name="stoppingToken">Ends the loop.</param>
    public async Task RunAsync(
        Func<CancellationToken, Task<bool>> work, Func<CancellationToken, Task> idle, CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            if (!await RetryAsync(work, stoppingToken))
                await idle(stoppingToken);
        }
    }

    /// <summary>The same with a pause of one length between rounds.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> work, TimeSpan pause, CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await RetryAsync(work, stoppingToken);
            await Task.Delay(pause, clock, stoppingToken);
        }
    }

    /// <summary>
    /// Reads what a gauge shows, now and then and not for every scrape. While it cannot be read nothing is shown: a gap in the series is
    /// better than an old value.
    /// </summary>
    /// <param name="clock">The pauses' clock.</param>
    /// <param name="every">The pause between readings.</param>
    /// <param name="read">Reads the values.</param>
    /// <param name="show">Takes them, or null where they are not known.</param>
    /// <param name="unknown">Takes the reason, once for each kind of error.</param>
    /// <param name="stoppingToken">Ends the loop.</param>
    public static Task ShowAsync<T>(
        TimeProvider clock, TimeSpan every, Func<CancellationToken, Task<T>> read, Action<T?> show, Action<string> unknown,
        CancellationToken stoppingToken)
        where T : class
    {
        return new BackgroundLoop(clock, every, Failed).RunAsync(async token => show(await read(token)), every, stoppingToken);

        void Failed(Exception exception, bool isNew)
        {
            show(null);
            if (isNew)
                unknown(PrivilegeErrors.Describe(exception));
        }
    }

    /// <summary>Repeats the work until it succeeds once.</summary>
    public Task RetryAsync(Func<CancellationToken, Task> work, CancellationToken stoppingToken) => RetryAsync(
        async token =>
        {
            await work(token);
            return true;
        },
        stoppingToken);

    /// <summary>Repeats the work until it succeeds once, and returns its result.</summary>
    /// <exception cref="OperationCanceledException">The process stops; an error that meets the stop is not reported.</exception>
    private async Task<T> RetryAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken stoppingToken)
    {
        while (true)
        {
            stoppingToken.ThrowIfCancellationRequested();
            try
            {
                var result = await work(stoppingToken);
                Succeeded();
                return result;
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                stoppingToken.ThrowIfCancellationRequested();
                await Task.Delay(Failed(exception), clock, stoppingToken);
            }
        }
    }

    private void Succeeded()
    {
        if (_failures > 0)
            recovered?.Invoke();
        _failures = 0;
        _reported.Clear();
    }

    private TimeSpan Failed(Exception exception)
    {
        failed(exception, _reported.Add(exception.GetType()));
        var pause = RetryDelay.After(++_failures, longestPause);
        return RetryAfter(exception) is not { } asked || asked <= pause ? pause : asked < longestPause ? asked : longestPause;
    }
}

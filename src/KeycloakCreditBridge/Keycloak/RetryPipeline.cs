using System.Net.Http.Headers;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>How a request is repeated: a few times, later each time, and not before the time that the server names.</summary>
internal static class RetryPipeline
{
    private const int Retries = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(30);

    public static ResiliencePipeline Build(TimeSpan attemptTimeout, TimeProvider clock, Action<Exception?, TimeSpan> onRetry) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = arguments => ValueTask.FromResult(IsTransient(arguments.Outcome.Exception)),
                MaxRetryAttempts = Retries,
                BackoffType = DelayBackoffType.Exponential,
                Delay = FirstDelay,
                UseJitter = true,
                MaxDelay = MaxDelay,
                DelayGenerator = arguments => ValueTask.FromResult(RequestedDelay(arguments.Outcome.Exception)),
                OnRetry = arguments =>
                {
                    onRetry(arguments.Outcome.Exception, arguments.RetryDelay);
                    return default;
                },
            })
            .AddTimeout(new TimeoutStrategyOptions { Timeout = attemptTimeout })
            .Build();

    /// <summary>For what must not be repeated.</summary>
    public static ResiliencePipeline Once(TimeSpan timeout, TimeProvider clock) =>
        new ResiliencePipelineBuilder { TimeProvider = clock }.AddTimeout(new TimeoutStrategyOptions { Timeout = timeout }).Build();

    private static bool IsTransient(Exception? exception) =>
        exception is KeycloakUnavailableException or TimeoutRejectedException or KeycloakProtocolException { Garbled: true };

    /// <summary>A longer wait than this client accepts is cut; the next refusal then goes to the caller.</summary>
    private static TimeSpan? RequestedDelay(Exception? exception) => exception is KeycloakUnavailableException { RetryAfter: { } requested }
        ? TimeSpan.FromTicks(Math.Clamp(requested.Ticks, 0, MaxDelay.Ticks))
        : null;
}

/// <summary>Retry-After comes in seconds or as a date.</summary>
internal static class RetryAfterHeader
{
    public static TimeSpan? DelayFrom(this RetryConditionHeaderValue? header, DateTimeOffset now) => header?.Delta ?? header?.Date - now;
}

using System.Globalization;
using System.Threading.RateLimiting;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Management;
using Microsoft.AspNetCore.Http.HttpResults;

namespace KeycloakCreditBridge.Api.Rates;

/// <summary>
/// Limits requests by address before anything is verified, and by caller after that. Requests of orchestrators and monitoring systems
/// are not counted. The framework's own middleware would do the first, but never ends the timers of its limiters: a process would keep
/// every host that it ever had.
/// </summary>
internal sealed class RequestRateLimiter : IEndpointFilter, IDisposable
{
    private const int Burst = 10;

    private readonly Hot<ApiOptions> _options;
    private readonly string[] _machines;
    private readonly PartitionedRateLimiter<HttpContext> _addresses;
    private readonly PartitionedRateLimiter<Caller> _callers;
    private readonly PartitionedRateLimiter<Caller> _writers;

    public RequestRateLimiter(Hot<ApiOptions> options, IEnumerable<MachinePath> machines)
    {
        (_options, _machines) = (options, [.. machines.Select(machine => machine.Path)]);
        _addresses = PartitionedRateLimiter.Create<HttpContext, Bucket>(PartitionOf);
        _callers = PartitionedRateLimiter.Create<Caller, Bucket>(caller => TokenBucket(caller.Key, options.Current.RateLimits.PerUser));
        _writers = PartitionedRateLimiter.Create<Caller, Bucket>(
            caller => TokenBucket(caller.Key, options.Current.RateLimits.WritesPerUser));
    }

    /// <summary>Limits the requests of an address.</summary>
    public async Task LimitAddressAsync(HttpContext context, RequestDelegate next)
    {
        using var lease = _addresses.AttemptAcquire(context);
        if (lease.IsAcquired)
            await next(context);
        else
            await Refusal(lease, context).ExecuteAsync(context);
    }

    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        using var lease = _callers.AttemptAcquire(Caller.Of(context.HttpContext));
        return lease.IsAcquired ? await next(context) : Refusal(lease, context.HttpContext);
    }

    /// <summary>Limits what a user without a role can have stored. The roles' holders write for many users.</summary>
    public async ValueTask<object?> LimitWriteAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (Caller.Of(context.HttpContext) is not { HasRole: false } user || HttpMethods.IsGet(context.HttpContext.Request.Method))
            return await next(context);
        using var lease = _writers.AttemptAcquire(user);
        return lease.IsAcquired ? await next(context) : Refusal(lease, context.HttpContext);
    }

    public void Dispose()
    {
        _addresses.Dispose();
        _callers.Dispose();
        _writers.Dispose();
    }

    private RateLimitPartition<Bucket> PartitionOf(HttpContext context)
    {
        var path = context.Request.Path;
        if (Array.Exists(ManagementModule.Paths, own => path.StartsWithSegments(own, StringComparison.Ordinal)))
            return RateLimitPartition.GetNoLimiter(default(Bucket));
        var address = CallerNetwork.Of(context.Connection.RemoteIpAddress);
        var limits = _options.Current.RateLimits;
        return Array.Exists(_machines, machine => path.StartsWithSegments(machine, StringComparison.Ordinal))
            ? TokenBucket($"machine {address}", limits.Machines)
            : TokenBucket(address, limits.PerAddress);
    }

    private static RateLimitPartition<Bucket> TokenBucket(string caller, int perSecond) =>
        RateLimitPartition.GetTokenBucketLimiter(new Bucket(caller, perSecond), _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = perSecond * Burst,
            TokensPerPeriod = perSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        });

    private static ProblemHttpResult Refusal(RateLimitLease lease, HttpContext context)
    {
        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1);
        context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem("Too many requests: wait for the time in Retry-After.",
            statusCode: StatusCodes.Status429TooManyRequests);
    }

    /// <param name="PerSecond">A limit that changes begins a bucket of its own.</param>
    private readonly record struct Bucket(string Caller, int PerSecond);
}

using System.Buffers;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Api.Requests;

/// <summary>The exact bytes of a request's body, in a borrowed buffer that is given back when this is disposed of.</summary>
internal sealed class RequestBody : IDisposable
{
    private const int FirstBuffer = 4 * 1024;

    private byte[] _buffer = [];
    private int _length;

    private RequestBody()
    {
    }

    public ReadOnlyMemory<byte> Bytes => _buffer.AsMemory(0, _length);

    /// <summary>Reads the body, or returns null as soon as it turns out to be longer than <paramref name="limit"/> bytes.</summary>
    /// <param name="request">Its body was not read yet.</param>
    /// <param name="limit">In bytes.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <param name="budget">Bounds what is held of senders that are not authenticated yet.</param>
    /// <exception cref="BadHttpRequestException">
    /// The body is broken off or malformed (400), did not come in time (408), or had to give way to others (503).
    /// </exception>
    public static async Task<RequestBody?> ReadAsync(
        HttpRequest request, int limit, CancellationToken cancellationToken, BodyBudget? budget = null)
    {
        if (request.ContentLength > limit)
            return null;
        var services = request.HttpContext.RequestServices;
        var allowed = services.GetRequiredService<IOptions<ApiOptions>>().Value.BodyTimeout;
        using var deadline = new CancellationTokenSource(allowed, services.GetRequiredService<TimeProvider>());
        using var share = budget?.Begin();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, deadline.Token, share?.GivesWay ?? CancellationToken.None);
        try
        {
            return await ReadAsync(request.Body, limit, share, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw deadline.IsCancellationRequested
                ? new BadHttpRequestException(
                    $"The body did not come within {allowed.TotalSeconds} s.", StatusCodes.Status408RequestTimeout)
                : new BadHttpRequestException(
                    "Too many bodies are being received now: send it again.", StatusCodes.Status503ServiceUnavailable);
        }
        catch (IOException exception) when (exception is not BadHttpRequestException)
        {
            throw new BadHttpRequestException("The body is malformed or was broken off.", exception);
        }
    }

    public void Dispose()
    {
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
    }

    private static async Task<RequestBody?> ReadAsync(
        Stream stream, int limit, BodyBudget.Share? share, CancellationToken cancellationToken)
    {
        var body = new RequestBody();
        try
        {
            if (await body.ReadToEndAsync(stream, limit, share, cancellationToken))
                return body;
            body.Dispose();
            return null;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private async Task<bool> ReadToEndAsync(Stream stream, int limit, BodyBudget.Share? share, CancellationToken cancellationToken)
    {
        // A sender that says nothing costs no buffer.
        _length = await stream.ReadAsync(Memory<byte>.Empty, cancellationToken);
        do
        {
            if (_length > limit)
                return false;
            if (_length == _buffer.Length)
                Enlarge(share);
        }
        while (await ReadMoreAsync(stream, cancellationToken));
        return true;
    }

    // Grows with what really came: a sender's word for the length reserves nothing.
    private void Enlarge(BodyBudget.Share? share)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBuffer, 2 * _length));
        share?.Grow(larger.Length - _buffer.Length);
        _buffer.AsSpan(0, _length).CopyTo(larger);
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }

    private async Task<bool> ReadMoreAsync(Stream stream, CancellationToken cancellationToken)
    {
        var read = await stream.ReadAsync(_buffer.AsMemory(_length), cancellationToken);
        _length += read;
        return read > 0;
    }
}

<?php

declare(strict_types=1);

namespace App\Http;

use Closure;
use InvalidArgumentException;
use Psr\Http\Message\ResponseInterface as Response;
use Psr\Http\Message\ServerRequestInterface as Request;

#[\Attribute(\Attribute::TARGET_METHOD)]
final class Route
{
    public function __construct(
        public readonly string $path,
        public readonly string $method = 'GET',
    ) {
    }
}

abstract class Router implements \Countable
{
    /** @var array<string, list<array{pattern: string, handler: Closure}>> */
    private array $routes = [];

    public function add(string $method, string $path, callable $handler): static
    {
        if (!str_starts_with($path, '/')) {
            throw new InvalidArgumentException("A path starts with a slash, got '{$path}'");
        }
        $pattern = preg_replace('~\{(\w+)\}~', '(?<$1>[^/]+)', $path);
        $this->routes[strtoupper($method)][] = [
            'pattern' => '~^' . $pattern . '$~u',
            'handler' => Closure::fromCallable($handler),
        ];

        return $this;
    }

    public function dispatch(Request $request): Response
    {
        $path = rawurldecode($request->getUri()->getPath());
        foreach ($this->routes[$request->getMethod()] ?? [] as ['pattern' => $pattern, 'handler' => $handler]) {
            if (preg_match($pattern, $path, $matches) === 1) {
                $arguments = array_filter($matches, 'is_string', ARRAY_FILTER_USE_KEY);
                return $handler($request, ...array_values($arguments));
            }
        }

        return $this->notFound($request);
    }

    public function count(): int
    {
        return array_sum(array_map('count', $this->routes));
    }

    abstract protected function notFound(Request $request): Response;
}

$price = fn (int $cents): string => number_format($cents / 100, 2, ',', '.') . ' €';
echo <<<HTML
    <p class="total">{$price(1234567)}</p>
    HTML;
?>
<ul>
<?php foreach ($items ?? [] as $i => $item): ?>
    <li id="item-<?= $i ?>"><?= htmlspecialchars($item->name, ENT_QUOTES) ?></li>
<?php endforeach; ?>
</ul>
